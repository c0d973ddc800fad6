// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../sources/DemoToken.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BulkheadTest} from "./BulkheadTest.sol";

contract DemoTokenTest is BulkheadTest {
    DemoToken private token;

    function setUp() external {
        token = DemoToken(deploy("DemoToken", ""));
    }

    function testWhoeverDeployedItMints(address to, uint128 amount) external {
        if (to == address(0)) return;
        token.mint(to, amount);
        vm.assertEq(token.balanceOf(to), amount, "minted");
    }

    function testNobodyElseMints(address stranger) external {
        if (stranger == address(this)) return;
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger));
        token.mint(stranger, 1);
    }
}
