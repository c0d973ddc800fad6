// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice The base of every test: forge's machine, and contracts deployed from the committed bytes, so that what is
/// tested is what goes on a chain.
abstract contract BulkheadTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotDeployed(string name);

    /// @notice The creation code in artifacts/.
    function codeOf(string memory name) internal view returns (bytes memory) {
        return vm.getCode(string.concat("contracts/artifacts/", name, ".json"));
    }

    function deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = bytes.concat(codeOf(name), arguments);
        assembly {
            deployed := create(0, add(code, 32), mload(code))
        }
        require(deployed != address(0), NotDeployed(name));
    }
}
